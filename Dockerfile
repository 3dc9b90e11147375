# One image for all services: the verb is the command (`command-api`, `dialer`, `projector`, …).
FROM python:3.13.14-slim-bookworm AS built
WORKDIR /src
RUN python -m venv /opt/dialgate
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY shared shared
COPY services services
COPY dialgate dialgate
# Only files with the expected hashes are installed, and nothing else is fetched, not even to build.
RUN /opt/dialgate/bin/pip install --no-cache-dir --disable-pip-version-check \
	--require-hashes --requirement requirements.txt \
	&& /opt/dialgate/bin/pip install --no-cache-dir --disable-pip-version-check \
	--no-deps --no-build-isolation .

FROM python:3.13.14-slim-bookworm
# A service's files: stores, which are caches of the log, and the carrier's own record.
RUN useradd --system --uid 10001 --user-group --no-create-home dialgate \
	&& install --directory --owner dialgate --group dialgate --mode 0700 /data
COPY --from=built /opt/dialgate /opt/dialgate
ENV PATH=/opt/dialgate/bin:$PATH \
	PYTHONDONTWRITEBYTECODE=1 \
	PYTHONUNBUFFERED=1 \
	DIALGATE_DATA_DIR=/data \
	TMPDIR=/data \
	DIALGATE_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
EXPOSE 8000
ENTRYPOINT ["dialgate"]
CMD ["up"]
