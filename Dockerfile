# Weir as an image: one worker by default, any `weir` command by argument.
#   docker build -t weir-monitor .

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Every package has its hashes in a lock (`make lock`): another file under its name is refused. Only
# wheels are taken, so nothing of theirs runs here.
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/weir && python -m venv /opt/build \
    && /opt/weir/bin/pip install --require-hashes --only-binary :all: --requirement requirements.txt \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: --requirement requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY monitor monitor
COPY streams streams
COPY models models
# Byte code is compiled here, because the image's root is read-only where it runs; pip stays behind.
RUN /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /wheel . \
    && /opt/weir/bin/pip install --no-deps --no-index /wheel/*.whl \
    && /opt/weir/bin/pip check \
    && /opt/weir/bin/python -m compileall -q -j 0 /opt/weir/lib \
    && /opt/weir/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="weir-monitor" \
      org.opencontainers.image.description="A streaming transaction monitor" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 weir \
    && useradd --system --uid 10001 --gid weir --home-dir /nonexistent --shell /usr/sbin/nologin weir
COPY --from=build /opt/weir /opt/weir
ENV PATH=/opt/weir/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    WEIR_METRICS_HOST=0.0.0.0 \
    WEIR_METRICS_PORT=9464 \
    WEIR_DATA_DIR=/tmp/weir \
    NUMBA_CACHE_DIR=/var/cache/weir
# Volumes are mounted on both, and begin with what the image has there.
RUN install --directory --owner weir --group weir /var/cache/weir /var/lib/weir
USER 10001:10001
# All kernels are compiled here, and not for 20 s and more at each start. Numba wants the folder to be
# writable, so compose mounts a volume there, which begins with what the image has.
RUN python -c "from models.learner import learner; from streams.worker import engines; learner.prepare(is_taught=True); engines.prepare()"
WORKDIR /tmp
EXPOSE 9464
# Alive, not ready: some orchestrators end what is unhealthy, and a broker's outage is no reason to.
# A worker that does not get on ends itself (WEIR_LIVENESS_SECONDS).
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['WEIR_METRICS_PORT'] + '/livez', timeout=4).read()"]
# SIGTERM: flush, commit, leave the group.
STOPSIGNAL SIGTERM
ENTRYPOINT ["weir"]
CMD ["worker"]
