# Lockstep as an image: docker build -t lockstep . — then "In a container" of docs/operating.md.
# Without a volume on /var/lib/lockstep a new container knows no version and signs with a new key.

FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY bin ./bin
COPY src ./src
COPY scripts ./scripts
RUN npm run build
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY --from=build /build/bin ./bin
COPY config/lockstep.image.yaml /etc/lockstep/lockstep.yaml
RUN ln -s /app/bin/lockstep.js /usr/local/bin/lockstep
# A number, so that an orchestrator can see that it is not root. Files of an empty volume get this owner.
RUN mkdir -p /var/lib/lockstep && chown 1000:1000 /var/lib/lockstep
USER 1000:1000
VOLUME /var/lib/lockstep
EXPOSE 8080
# Requests under way end, for limits.shutdown (30s) at most: docker stop --time 45.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`${process.env.LOCKSTEP_ADMIN ?? 'http://127.0.0.1:9090'}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["lockstep"]
CMD ["serve", "--config", "/etc/lockstep/lockstep.yaml"]
