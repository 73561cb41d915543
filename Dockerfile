# One image for the web and for the worker: the command says which.

FROM python:3.13-slim AS build
WORKDIR /build
# Without pip, which the service does not need: the builder's own installs into it.
RUN python -m venv --without-pip /opt/quickthumb
COPY requirements.lock ./
RUN pip --python /opt/quickthumb install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY settings.py /srv/quickthumb/
COPY quickthumb /srv/quickthumb/quickthumb
# Compiled here, since the container's file system may be read-only.
RUN python -m compileall -q --invalidation-mode unchecked-hash /srv/quickthumb

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin quickthumb \
    && install --directory --owner quickthumb --group quickthumb --mode 0750 /data
COPY --from=build /opt/quickthumb /opt/quickthumb
COPY --from=build /srv/quickthumb /srv/quickthumb
ENV PATH=/opt/quickthumb/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    QUICKTHUMB_DATA_DIR=/data
WORKDIR /srv/quickthumb
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Alive, not ready: a container is not to be replaced because Redis is away. http.client asks no proxy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
# Inside a container every address is the container's own; what is published is the deployment's choice.
CMD ["python", "-m", "quickthumb", "serve", "--host", "0.0.0.0", "--port", "8000"]
