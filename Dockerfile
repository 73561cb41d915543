# One image for the web process and the worker; the command decides which of them runs.

FROM python:3.13.15-slim-trixie AS build
WORKDIR /build
# Without pip, which the service does not need: the pip of the build stage installs into this environment.
RUN python -m venv --without-pip /opt/quickthumb
COPY requirements.lock ./
RUN pip --python /opt/quickthumb install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY settings.py /srv/quickthumb/
COPY quickthumb /srv/quickthumb/quickthumb
# Compiled during the build, because the container's file system may be read-only.
RUN python -m compileall -q --invalidation-mode unchecked-hash /srv/quickthumb

FROM python:3.13.15-slim-trixie
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin quickthumb \
    && install --directory --owner quickthumb --group quickthumb --mode 0700 /data
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
# Checks that the process is alive, not that it is ready: a container must not be replaced because Redis is down.
# http.client ignores proxy settings.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
# In a container, 0.0.0.0 covers only the container's own interfaces; the deployment decides which ports to publish.
CMD ["python", "-m", "quickthumb", "serve", "--host", "0.0.0.0", "--port", "8000"]
