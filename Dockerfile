# One image for all roles: barrage, barrage-autoscaler and barrage-loadtest.
#
#   docker build -t barrage .
#
# Binaries that exist already, in a folder, take the place of the stage `build`; nothing is compiled:
#
#   docker build -t barrage --build-context build=FOLDER .

# The Rust version is that of rust-toolchain.toml; a test compares them.
ARG BUILDER=docker.io/library/rust:1.95.0-slim-bookworm
# It has the C library, the roots of certificate authorities, and no shell. Any base with glibc 2.36 or newer will do.
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILDER} AS compile
ARG REVISION=unknown
WORKDIR /src
COPY . .
# The cache mounts keep downloaded crates and the last build between two builds of the image. Debug information stays out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    BARRAGE_REVISION="${REVISION}" CARGO_PROFILE_DIST_STRIP=debuginfo cargo build --locked --profile dist --no-default-features \
        --package barrage --package barrage-autoscaler --package barrage-loadtest \
 && install -D -t /out target/dist/barrage target/dist/barrage-autoscaler target/dist/barrage-loadtest

# The binaries alone, so that `--build-context build=FOLDER` can replace them.
FROM scratch AS build
COPY --from=compile /out/ /

FROM ${RUNTIME} AS runtime
ARG REVISION=unknown
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="Barrage" \
      org.opencontainers.image.description="Live chat and danmaku for video streams" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Barrage Authors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE NOTICE /usr/share/doc/barrage/
COPY --from=build barrage barrage-autoscaler barrage-loadtest /usr/local/bin/
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# Only `up` writes, and only to `barrage-data` here: mount a volume. The root file system may be read-only.
WORKDIR /var/lib/barrage
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/barrage"]
# The admin listener stays on the container's loopback: a metric or an admin call from outside needs --admin-listen.
CMD ["up", "--listen", "0.0.0.0:8080"]
