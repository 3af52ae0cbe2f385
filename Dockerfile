# Three images from one file: the server (no torch), the trainer, and a model server for machines without a GPU.
#
#   docker build --target server  -t frontdesk .
#   docker build --target trainer -t frontdesk-trainer .
#   docker build --target engine-cpu -t frontdesk-engine-cpu .
#
# trainer and engine-cpu need torch for the CPU: pass its package index with --build-arg PIP_EXTRA_INDEX_URL=...

FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/venv/bin:$PATH
RUN groupadd --gid 10001 frontdesk \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin frontdesk \
 && install -d -o 10001 -g 10001 -m 0750 /data \
 && python -m venv /opt/venv
WORKDIR /app

# --- server -----------------------------------------------------------------------------------------------------------
FROM base AS server-packages
COPY requirements/server.txt requirements/server.txt
RUN pip install --no-deps -r requirements/server.txt

FROM base AS server
LABEL org.opencontainers.image.title="frontdesk" \
      org.opencontainers.image.description="A self-hosted support desk answered by an open-weights model" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=server-packages /opt/venv /opt/venv
COPY LICENSE NOTICE README.md pyproject.toml ./
COPY requirements/server.txt requirements/server.txt
COPY config config
COPY models models
COPY channels channels
COPY server server
RUN printf '#!/bin/sh\nexec python -m server.cli "$@"\n' > /usr/local/bin/frontdesk \
 && chmod 0755 /usr/local/bin/frontdesk \
 && python -m compileall -q config models channels server
ENV PYTHONPATH=/app \
    FRONTDESK_HTTP__HOST=0.0.0.0 \
    FRONTDESK_DATA_DIR=/data \
    FRONTDESK_CACHE_DIR=/data/cache \
    FRONTDESK_LOG__FORMAT=json
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('FRONTDESK_HTTP__PORT', '8080') + '/livez', timeout=3)"]
ENTRYPOINT ["python", "-m", "server.cli"]
CMD ["serve"]

# --- trainer ----------------------------------------------------------------------------------------------------------
FROM base AS trainer
ARG PIP_EXTRA_INDEX_URL=""
LABEL org.opencontainers.image.title="frontdesk-trainer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY requirements/trainer.txt requirements/trainer.txt
RUN pip install --no-deps -r requirements/trainer.txt
COPY LICENSE NOTICE pyproject.toml ./
COPY config config
COPY models models
COPY training training
ENV PYTHONPATH=/app \
    HF_HOME=/data/hub
USER 10001:10001
VOLUME /data
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "training"]

# --- a model server without a GPU -------------------------------------------------------------------------------------
FROM base AS engine-cpu
ARG PIP_EXTRA_INDEX_URL=""
LABEL org.opencontainers.image.title="frontdesk-engine-cpu" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY requirements/demo-cpu.txt requirements/demo-cpu.txt
RUN pip install --no-deps -r requirements/demo-cpu.txt
COPY LICENSE NOTICE ./
ENV HOME=/tmp \
    HF_HUB_OFFLINE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=4s --start-period=300s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=3)"]
ENTRYPOINT ["python", "-m", "vllm.entrypoints.openai.api_server"]
