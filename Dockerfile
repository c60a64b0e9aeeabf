# A worker (the default) or any other command of cutover. glibc: Temporal's native core has no musl build.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY bin bin
COPY src src
COPY supabase supabase
COPY workflows workflows
COPY activities activities
COPY workers workers
# The workflows as one file, so that a worker is ready at once and with half the memory.
RUN node -e "import('/app/workers/bundle.ts').then(({ workflowBundle }) => workflowBundle('/state/bundle'))"

FROM node:24.21.0-bookworm-slim
# Root certificates, for TLS to Temporal Cloud and hosted Supabase.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /app
COPY --from=build --chown=node:node /state /state
RUN install -d -o node -g node /work
ENV NODE_ENV=production CUTOVER_STATE_DIR=/state
USER node
# Relative paths and .env count from here, and reports may be written; mount what is to be migrated below /files, at the same place in
# every worker.
WORKDIR /work
# To node itself, without a shell in between: a worker takes no more then, and lets what is under way finish.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/bin/cutover.js"]
CMD ["worker"]
