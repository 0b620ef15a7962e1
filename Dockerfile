# One image for the service and for its trainer: docker build --tag kuajie .
# Everything is installed from files with hashes; nothing runs as root.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/service.txt requirements/build.txt requirements/
RUN python -m venv /opt/kuajie \
    && /opt/kuajie/bin/pip install --require-hashes --requirement requirements/service.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/kuajie/bin/pip install --no-deps /wheels/*.whl

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="kuajie" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 kuajie \
    && useradd --system --uid 10001 --gid kuajie --home-dir /workspace --shell /usr/sbin/nologin kuajie \
    && install --directory --owner kuajie --group kuajie /workspace
COPY --from=build /opt/kuajie /opt/kuajie
ENV PATH=/opt/kuajie/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    KUAJIE_SERVICE__HOST=0.0.0.0 \
    KUAJIE_SERVICE__PORT=8000
USER kuajie
WORKDIR /workspace
VOLUME /workspace
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['KUAJIE_SERVICE__PORT'] + '/health/ready', timeout=2)"]
ENTRYPOINT ["kuajie"]
CMD ["serve"]
