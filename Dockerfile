# syntax=docker/dockerfile:1
ARG BASE=python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

FROM ${BASE} AS build
ARG TORCH_INDEX
WORKDIR /app
COPY requirements.lock ./
# torch alone and first, then the complete lock: nothing is resolved here.
RUN python3 -m venv /app/.venv \
    && /app/.venv/bin/pip install --no-cache-dir --no-deps ${TORCH_INDEX:+--index-url ${TORCH_INDEX}} torch==2.13.0 \
    && /app/.venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY rag ./rag
COPY ingest ./ingest
COPY api ./api
COPY corpus ./corpus

FROM ${BASE}
RUN useradd --system --uid 10001 --create-home helpdesk && mkdir /data && chown helpdesk /data
WORKDIR /app
COPY --from=build /app /app
USER helpdesk
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
    HELPDESK_DATA_DIR=/data HELPDESK_SERVER__HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python3", "-m", "api"]
