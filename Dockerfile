# The cosigner: no build step, the packages of the lockfile and nothing that runs at install time.
FROM node:24-bookworm-slim AS packages
WORKDIR /opt/hoarfrost
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOARFROST_DATA=/data HOARFROST_HOST=0.0.0.0
# As in docs/hoarfrost-cosigner.service.
ENV GLIBC_TUNABLES=glibc.malloc.mmap_threshold=65536:glibc.malloc.top_pad=32768
ENV NODE_OPTIONS="--max-semi-space-size=8 --v8-pool-size=1"
WORKDIR /opt/hoarfrost
COPY --from=packages /opt/hoarfrost/node_modules node_modules
COPY package.json LICENSE ./
COPY src src
RUN mkdir -m 700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 9737
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "src/cosigner/main.ts"]
CMD ["serve"]
