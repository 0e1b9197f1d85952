# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /venv
# The lock's versions without its hashes, which would be asked of the project itself as well.
COPY requirements.lock ./
RUN sed -e '/^ *--hash=/d' -e 's/ *\\$//' requirements.lock > constraints.txt
COPY pyproject.toml README.md ./
COPY topics topics
COPY pipeline pipeline
COPY agents agents
COPY sandbox sandbox
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin pipeline \
    && install -d -o pipeline -g pipeline /app && install -d -m 0700 -o pipeline -g pipeline /data
COPY --from=build /venv /venv
COPY examples /app/examples
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIPELINE_DATA_DIR=/data
WORKDIR /app
USER pipeline
VOLUME /data
ENTRYPOINT ["pipeline"]
