# A release names it by its digest: `make image BASE=python:3.12-slim@sha256:…`
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /venv
# Every file is one whose hash is in the lock, and none is built here: a build would fetch what no lock names.
COPY requirements.image.lock ./
RUN /venv/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary=:all: -r requirements.image.lock
COPY pyproject.toml README.md LICENSE ./
COPY topics topics
COPY pipeline pipeline
COPY agents agents
COPY sandbox sandbox
# With the setuptools of the lock. No hash can name the project itself.
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index .

FROM ${BASE}
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin pipeline \
    && install -d -o pipeline -g pipeline /app \
    && install -d -m 0700 -o pipeline -g pipeline /data
COPY --from=build /venv /venv
COPY examples /app/examples
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIPELINE_DATA_DIR=/data
WORKDIR /app
USER pipeline
VOLUME /data
ENTRYPOINT ["pipeline"]
