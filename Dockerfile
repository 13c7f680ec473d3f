# syntax=docker/dockerfile:1
# The helpdesk as an image: `docker build .` makes the full one, `docker build --target slim .` the
# one that cannot load models by name. How to run them: docs/operators/containers.md.
ARG BASE=python:3.12-slim

# pip is a tool of the build, in an environment of its own: what is installed comes without it.
FROM ${BASE} AS tools
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /app/.venv
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# What is compiled here need not be at every start, as the root may be read-only: without its tests,
# which nothing imports, and files that are meant for another Python. That nothing has changed since
# is taken for granted, as whatever copies an image may date its files anew.
FROM tools AS slim-packages
COPY requirements-slim.lock ./
RUN /opt/pip/bin/pip --python /app/.venv/bin/python install --no-compile --no-deps --require-hashes -r requirements-slim.lock
RUN /app/.venv/bin/python -m compileall -qq -x '/tests?/' --invalidation-mode unchecked-hash /app/.venv/lib || true

FROM tools AS packages
ARG TORCH_INDEX
COPY Makefile requirements.lock ./
# torch alone and first, as `make serve` has it, from where the Makefile names it unless
# `--build-arg TORCH_INDEX=` does; then the complete lock: nothing is resolved here.
RUN index="${TORCH_INDEX-$(sed -n 's/^TORCH_INDEX ?= *//p' Makefile)}" \
    && torch="$(sed -n 's/^TORCH := *//p' Makefile)" \
    && /opt/pip/bin/pip --python /app/.venv/bin/python install --no-compile --no-deps ${index:+--retries 1 --index-url "$index"} "$torch" \
    && /opt/pip/bin/pip --python /app/.venv/bin/python install --no-compile --no-deps --require-hashes -r requirements.lock
RUN /app/.venv/bin/python -m compileall -qq -x '/tests?/' --invalidation-mode unchecked-hash /app/.venv/lib || true

FROM ${BASE} AS code
WORKDIR /app
COPY rag ./rag
COPY ingest ./ingest
COPY api ./api
COPY corpus ./corpus
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${BASE} AS judging
WORKDIR /app
COPY eval ./eval
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app

# All but the packages, which come before the code: most upgrades change the code alone.
FROM ${BASE} AS empty
RUN groupadd --gid 10001 helpdesk \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp helpdesk \
    && install -d -o helpdesk -g helpdesk /data
WORKDIR /app
# Models that are set by name are kept with the other data.
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp HF_HOME=/data/models \
    HELPDESK_DATA_DIR=/data HELPDESK_SERVER__HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# The first start builds an index. http.client knows nothing of proxies, which are for others.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m --retries=3 \
    CMD ["python3", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
CMD ["python3", "-m", "api"]

FROM empty AS slim
COPY --from=slim-packages /app/.venv /app/.venv
COPY --from=code /app /app
USER 10001:10001

FROM empty AS full
COPY --from=packages /app/.venv /app/.venv
COPY --from=code /app /app
COPY --from=judging /app /app
USER 10001:10001
