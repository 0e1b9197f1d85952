"""Every private name that the runtime and the ingress override or call, with the version it was written against.

When one of these fails after an upgrade, read the new source of that name before anything else: the runtime's
promise that nothing is lost rests on it.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from aiohttp.web import RequestHandler, StreamResponse
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.api import Request
from aiokafka.protocol.struct import Struct
from aiokafka.protocol.types import Array, Bytes, Schema
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.util import wait_for
from faust.agents.manager import AgentManager
from faust.app.base import App
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport import consumer, producer
from faust.transport.drivers import aiokafka as driver
from mode.services import Service
from mode.threads import ServiceThread

WRITTEN_AGAINST = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0", "aiohttp": "3.14.5"}

NAMES: dict[str, tuple[Callable[..., Any], str]] = {
    "faust Consumer._drain_messages": (consumer.Consumer._drain_messages, "44a2500309e8"),
    "faust Consumer._new_offset": (consumer.Consumer._new_offset, "1d2c7ea89a7a"),
    "faust Consumer._filter_committable_offsets": (consumer.Consumer._filter_committable_offsets, "dc5e9baf5d99"),
    "faust Consumer._should_commit": (consumer.Consumer._should_commit, "5ce941793947"),
    "faust Consumer.ack": (consumer.Consumer.ack, "5fcf41cf4515"),
    "faust Consumer.wait_empty": (consumer.Consumer.wait_empty, "e4662fe24f09"),
    "faust Consumer.perform_seek": (consumer.Consumer.perform_seek, "0e8c130ff4b0"),
    "faust Consumer.on_partitions_revoked": (consumer.Consumer.on_partitions_revoked, "d04b7ae72c6f"),
    "faust Consumer.commit_and_end_transactions": (consumer.Consumer.commit_and_end_transactions, "892377824b11"),
    "faust Consumer.maybe_wait_for_commit_to_finish": (
        consumer.Consumer.maybe_wait_for_commit_to_finish,
        "d687f63a0b5e",
    ),
    "faust ThreadDelegateConsumer._getmany": (consumer.ThreadDelegateConsumer._getmany, "f9d47aa9010b"),
    "faust ThreadDelegateConsumer._commit": (consumer.ThreadDelegateConsumer._commit, "a20eec84e4b2"),
    "faust AIOKafkaConsumerThread._commit": (driver.AIOKafkaConsumerThread._commit, "932852ce7a23"),
    "faust Consumer._commit_offsets": (consumer.Consumer._commit_offsets, "1a6979904118"),
    "faust AIOKafkaConsumerThread._create_worker_consumer": (
        driver.AIOKafkaConsumerThread._create_worker_consumer,
        "c2701bfc3e6f",
    ),
    "faust AIOKafkaConsumerThread._fetch_records": (driver.AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1"),
    "faust AIOKafkaConsumerThread.verify_event_path": (driver.AIOKafkaConsumerThread.verify_event_path, "b983e7735f64"),
    "faust driver Consumer._new_consumer_thread": (driver.Consumer._new_consumer_thread, "0870ec53dea7"),
    "faust driver Consumer._to_message": (driver.Consumer._to_message, "7c24f6511b2f"),
    "faust driver Producer._settings_extra": (driver.Producer._settings_extra, "a4c7bc41b638"),
    "faust driver Producer._ensure_producer": (driver.Producer._ensure_producer, "5592a4bbdf25"),
    "faust driver Producer.flush": (driver.Producer.flush, "36d0cb3615f6"),
    "faust driver Producer.send": (driver.Producer.send, "0b5bd08f52e5"),
    "faust ProducerBuffer._send_pending": (producer.ProducerBuffer._send_pending, "4a9d5f932b56"),
    "faust ProducerBuffer._handle_pending": (producer.ProducerBuffer._handle_pending.fun, "78d648030fd2"),
    "faust ProducerBuffer.flush": (producer.ProducerBuffer.flush, "26fbebb124ad"),
    "faust ProducerBuffer.wait_until_ebb": (producer.ProducerBuffer.wait_until_ebb, "758dd5744044"),
    "faust App._new_consumer": (App._new_consumer, "bff6ccd646b7"),
    "faust App._new_transport": (App._new_transport, "42db531312dd"),
    "faust App._new_producer_transport": (App._new_producer_transport, "eb3b4aa6a896"),
    "faust App._on_partitions_revoked": (App._on_partitions_revoked, "d5c895bbe57d"),
    "faust App.agent": (App.agent, "ae1d2b662569"),
    "faust App.on_rebalance_start": (App.on_rebalance_start, "5c1e23de3067"),
    "faust App.on_rebalance_end": (App.on_rebalance_end, "b7ff69e1e377"),
    "faust App._stop_consumer": (App._stop_consumer, "55854a5de12c"),
    "faust Recovery._resume_streams": (Recovery._resume_streams, "d986a6710c1a"),
    "faust AIOKafkaConsumerThread._seek_wait": (driver.AIOKafkaConsumerThread._seek_wait, "9d221e816d94"),
    "faust Recovery._build_offsets": (Recovery._build_offsets, "27eec86be06c"),
    "faust Recovery._seek_offsets": (Recovery._seek_offsets, "19598ca63d94"),
    "aiokafka Fetcher._update_fetch_positions": (Fetcher._update_fetch_positions, "d7774d8241dc"),
    "aiokafka Fetcher._set_error": (Fetcher._set_error, "d29810f3f509"),
    "faust Recovery.on_recovery_completed": (Recovery.on_recovery_completed, "6ef567acf072"),
    "faust Recovery._build_highwaters": (Recovery._build_highwaters, "91b4cc0d3724"),
    "faust TableManager.on_start": (TableManager.on_start, "365dd25fbc0e"),
    "faust TableManager._update_channels": (TableManager._update_channels, "88e3941facc9"),
    "faust AgentManager.on_start": (AgentManager.on_start, "9dfe63755f5f"),
    "faust rocksdb RocksDBOptions.open": (RocksDBOptions.open, "ff87e92d69e2"),
    "faust rocksdb RocksDBOptions.as_options": (RocksDBOptions.as_options, "d2a1bea17736"),
    "faust Collection._new_store": (Collection._new_store, "914a2bda605d"),
    "faust rocksdb Store._db_for_partition": (Store._db_for_partition, "cb7e67d5f9ef"),
    "faust rocksdb Store.set_persisted_offset": (Store.set_persisted_offset, "b4c811926678"),
    "faust rocksdb Store.apply_changelog_batch": (Store.apply_changelog_batch, "ea3344d369fc"),
    "mode Service.crash": (Service.crash, "14980000465d"),
    "aiokafka AIOKafkaProducer.send_batch": (AIOKafkaProducer.send_batch, "bf42b0f0c5c0"),
    "aiokafka GroupCoordinator._maybe_leave_group": (GroupCoordinator._maybe_leave_group, "016cd88a16e6"),
    "aiokafka GroupCoordinator._send_req": (GroupCoordinator._send_req, "fa4b12e914ce"),
    "aiokafka GroupCoordinator._do_heartbeat": (GroupCoordinator._do_heartbeat, "dc1d6632aaa6"),
    "aiokafka CoordinatorGroupRebalance._send_sync_group_request": (
        CoordinatorGroupRebalance._send_sync_group_request,
        "7429ca078ddf",
    ),
    "aiokafka AIOKafkaProducer.__init__": (AIOKafkaProducer.__init__, "fd6f2966fb3d"),
    "aiokafka Sender.__init__": (Sender.__init__, "dae60514401a"),
    "aiokafka Sender._send_produce_req": (Sender._send_produce_req, "aea01ae4b6c7"),
    "aiokafka Sender._sender_routine": (Sender._sender_routine, "2380dc5e333d"),
    "aiokafka SendProduceReqHandler.do": (SendProduceReqHandler.do, "2dccd3d56b16"),
    "aiokafka SendProduceReqHandler.handle_response": (SendProduceReqHandler.handle_response, "850323cc8f77"),
    "aiokafka MessageAccumulator._pop_batch": (MessageAccumulator._pop_batch, "41cc98a298ef"),
    "aiokafka MessageBatch.drain_ready": (MessageBatch.drain_ready, "9a6a2b6c56f8"),
    "aiokafka MessageBatch.failure": (MessageBatch.failure, "719b2122c318"),
    "aiokafka TransactionManager.increment_sequence_number": (
        TransactionManager.increment_sequence_number,
        "0fce01d42f0f",
    ),
    "faust driver Producer._producer_type": (vars(driver.Producer)["_producer_type"].fget, "311dc214fc43"),
    "aiokafka AIOKafkaConsumer.seek_to_committed": (AIOKafkaConsumer.seek_to_committed, "f6cd85c8b70a"),
    "aiokafka GroupCoordinator.check_errors": (GroupCoordinator.check_errors, "ba6ca51ad348"),
    "aiokafka GroupCoordinator._push_error_to_user": (GroupCoordinator._push_error_to_user, "743ff515bd7e"),
    "faust AIOKafkaConsumerThread.on_start": (driver.AIOKafkaConsumerThread.on_start, "38b4e8bd1e10"),
    "faust PartitionAssignor.assign": (PartitionAssignor.assign, "25f1cbbba9d4"),
    "faust PartitionAssignor.name": (inspect.unwrap(vars(PartitionAssignor)["name"].fget), "a950c3196764"),
    "aiokafka GroupCoordinator._do_rejoin_group": (GroupCoordinator._do_rejoin_group, "3cb016c98a08"),
    "aiokafka CoordinatorGroupRebalance.perform_group_join": (
        CoordinatorGroupRebalance.perform_group_join,
        "ff2c2109b2e9",
    ),
    "aiokafka GroupCoordinator._perform_assignment": (GroupCoordinator._perform_assignment, "a5cf61fa9732"),
    "faust AIOKafkaConsumerThread.on_thread_stop": (driver.AIOKafkaConsumerThread.on_thread_stop, "8dfc004e258b"),
    "mode ServiceThread._start_thread": (ServiceThread._start_thread, "a06373478446"),
    "aiokafka _DefaultRecordBatchPy._read_msg": (_DefaultRecordBatchPy._read_msg, "0997ab7a5850"),
    "aiokafka _DefaultRecordBatchPy.__iter__": (_DefaultRecordBatchPy.__iter__, "492967e59f45"),
    "aiokafka _DefaultRecordBatchPy.__next__": (_DefaultRecordBatchPy.__next__, "d05784bae3cb"),
    "aiokafka PartitionRecords.__init__": (PartitionRecords.__init__, "8ec1c2ae6ea1"),
    "aiokafka PartitionRecords._unpack_records": (PartitionRecords._unpack_records, "b803e6d46480"),
    "aiokafka FetchResult.getall": (FetchResult.getall, "3e717e30de50"),
    "aiokafka Fetcher.__init__": (Fetcher.__init__, "bf21ecb7e0f2"),
    "aiokafka Fetcher._proc_fetch_request": (Fetcher._proc_fetch_request, "59bf948fff47"),
    "aiokafka AIOKafkaConnection._next_correlation_id": (AIOKafkaConnection._next_correlation_id, "28bed21be511"),
    "aiokafka Request.prepare": (Request.prepare, "3a65d9fdefe3"),
    "aiokafka Schema.encode": (Schema.encode, "0cf5f9852ba2"),
    "aiokafka Array.encode": (Array.encode, "26bc52f6c02a"),
    "aiokafka Bytes.encode": (Bytes.encode, "ca5c8b815204"),
    "aiokafka Struct.encode": (Struct.encode, "ede5976c899d"),
    "aiokafka wait_for": (wait_for, "9df4dbc82b2d"),
    "aiokafka AIOKafkaConnection.send": (AIOKafkaConnection.send, "5909ea32f4ef"),
    "aiokafka AIOKafkaConnection._send_sasl_token": (
        inspect.unwrap(AIOKafkaConnection._send_sasl_token),
        "7a3d948fc526",
    ),
    "aiokafka AIOKafkaConnection.close": (AIOKafkaConnection.close, "28f164aa1e4f"),
    "aiokafka Fetcher.close": (Fetcher.close, "1cd24bc1c442"),
    "aiokafka Fetcher.fetched_records": (Fetcher.fetched_records, "be4348896b9b"),
    "aiokafka Fetcher.seek_to": (Fetcher.seek_to, "f0ba6aba6c22"),
    "aiokafka AIOKafkaProducer.partitions_for": (AIOKafkaProducer.partitions_for, "0d526b6cfcfd"),
    "aiokafka MessageAccumulator.add_batch": (MessageAccumulator.add_batch, "5ed1c5b1367a"),
    "aiokafka MessageAccumulator.create_builder": (MessageAccumulator.create_builder, "13dcd0ebf6b9"),
    "aiokafka BatchBuilder.__init__": (BatchBuilder.__init__, "35b335f054d3"),
    "aiokafka BatchBuilder.append": (BatchBuilder.append, "657d76f55157"),
    "aiokafka BatchBuilder._build": (BatchBuilder._build, "2ea37ea86320"),
    "aiohttp RequestHandler.data_received": (RequestHandler.data_received, "1ee57ebe052e"),
    "aiohttp RequestHandler.start": (RequestHandler.start, "2e565fd40c8e"),
    "aiohttp RequestHandler.finish_response": (RequestHandler.finish_response, "b7eb53db8f4b"),
    "aiohttp RequestHandler.handle_error": (RequestHandler.handle_error, "94962ffef500"),
    "aiohttp RequestHandler.force_close": (RequestHandler.force_close, "38d0e1e798e4"),
    "aiohttp StreamResponse._prepare_headers": (StreamResponse._prepare_headers, "92807d25d9c3"),
    "faust Consumer.commit": (consumer.Consumer.commit, "a354437baaa0"),
    "faust Consumer._commit_tps": (consumer.Consumer._commit_tps, "a20e230b05ae"),
    "faust Consumer.on_partitions_assigned": (consumer.Consumer.on_partitions_assigned, "29ce96596f05"),
    "faust AIOKafkaConsumerThread.seek_to_committed": (driver.AIOKafkaConsumerThread.seek_to_committed, "775ab0adc4b0"),
    "aiokafka AIOKafkaConsumer.commit": (AIOKafkaConsumer.commit, "79b057d88220"),
    "aiokafka GroupCoordinator.fetch_committed_offsets": (GroupCoordinator.fetch_committed_offsets, "6c049c737916"),
    "aiokafka GroupCoordinator.commit_offsets": (GroupCoordinator.commit_offsets, "5cbe31af28d6"),
}


def _digest(function: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]


@pytest.mark.parametrize("package", WRITTEN_AGAINST)
def test_the_pinned_versions_are_installed(package: str) -> None:
    """Without it, an upgrade of what the runtime overrides could slip in unread."""
    assert version(package) == WRITTEN_AGAINST[package]


@pytest.mark.parametrize("name", NAMES)
def test_a_private_name_reads_as_it_did(name: str) -> None:
    """Without it, an upstream change under an overridden method could bring back a way of losing records."""
    function, digest = NAMES[name]
    assert _digest(function) == digest, f"{name} changed: read its new source, then the runtime, then update this"


def test_attributes_that_are_set_or_read_by_name_are_there() -> None:
    """Without it, a renamed attribute would be set in vain and its protection be gone."""
    source = inspect.getsource(consumer.Consumer) + inspect.getsource(AIOKafkaConsumer)
    for attribute in (
        "_acked",
        "_acked_index",
        "_committed_offset",
        "_fetch_max_wait_ms",
        "_read_offset",
        "_unacked_messages",
        "_waiting_for_ack",
        "flow_active",
        "suspend_flow",
    ):
        assert f"self.{attribute}" in source, attribute
    for owner, attribute in (
        (AIOKafkaClient, "_sync_task"),
        (GroupCoordinator, "_coordination_task"),
        (Fetcher, "_fetch_task"),
        (AIOKafkaConsumer, "_coordinator"),
        (AIOKafkaConsumer, "_fetcher"),
        (AIOKafkaConsumer, "_client"),
        (TransactionManager, "_sequence_numbers"),
        (MessageAccumulator, "_txn_manager"),
        (AIOKafkaProducer, "_txn_manager"),
    ):
        assert f"self.{attribute}" in inspect.getsource(owner), attribute
    assert "offset_key" in vars(Store)
    assert "_compression_type" in inspect.getsource(MessageAccumulator)
