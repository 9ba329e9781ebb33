# The image of every service: which of them run is chosen by ROLE, and what they connect to by the variables
# of README.md. The first stage installs from the lockfile; the second has no build tool, no shell history of a
# secret and no root. `--secret id=ca,src=FILE` trusts further certificates while installing, and leaves no layer.

ARG BUN_IMAGE=docker.io/oven/bun:1.4.5-slim

FROM ${BUN_IMAGE} AS dependencies
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then set -- --cafile /run/secrets/ca; fi; \
    bun install --frozen-lockfile --production --no-progress "$@"

FROM ${BUN_IMAGE}
ENV NODE_ENV=production \
    TZ=UTC \
    HOME=/tmp \
    HOST=0.0.0.0 \
    DATA_DIR=/data \
    LOG_DIR=/logs
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY actors actors
COPY configs configs
COPY runtime runtime
COPY sample sample
COPY sinks sinks
RUN mkdir /data /logs && chown 10001:10001 /data /logs
USER 10001:10001
VOLUME ["/data", "/logs"]
EXPOSE 8510 8511 8512 8513 8514 8515
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bun", "runtime/cli/health.ts"]
ENTRYPOINT ["bun", "runtime/main.ts"]
