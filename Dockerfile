# The server kvd and the command line kvctl in a small image that runs as a user of its own.
#
#   docker build -t localhost/quorate .
#   podman build -t localhost/quorate --format docker .    # the OCI format has no health check
#
# Binaries that are built already can take the place of the stage `build`:
#   deploy/container/stage build/release DIR && docker build --build-context build=DIR/.. …
# where DIR is named stage (tools/container-test does so).

FROM debian:bookworm-slim AS build
WORKDIR /src
# Before the sources, so that a change of them does not install the packages again.
COPY tools/setup tools/setup
RUN tools/setup build
COPY . .
RUN cmake --preset release \
 && cmake --build --preset release --target kvd kvctl \
 && deploy/container/stage build/release /stage

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="quorate" \
      org.opencontainers.image.description="A node of a Quorate cluster (kvd), and kvctl"

# One layer that changes only when the binaries need other libraries.
COPY --from=build /stage/usr/share/quorate/ /usr/share/quorate/
RUN apt-get update \
 && xargs apt-get install -y --no-install-recommends </usr/share/quorate/runtime-packages \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
 && groupadd --gid 7400 quorate \
 && useradd --uid 7400 --gid 7400 --home-dir /var/lib/quorate --no-create-home \
      --shell /usr/sbin/nologin quorate \
 && install -d -o quorate -g quorate -m 0750 /var/lib/quorate
COPY --from=build /stage/ /

# The file holds the addresses; what the image fixes is where the file and the data are.
ENV KVD_CONFIG=/etc/quorate/kvd.toml KVD_DATA_DIR=/var/lib/quorate
USER 7400:7400
VOLUME /var/lib/quorate
# Clients; health and metrics; other nodes.
EXPOSE 7400 7401 7402
# As process 1 kvd takes the signal itself, drains requests for up to 5 seconds and exits 0. It
# starts no processes, so it needs no init above it to collect them.
STOPSIGNAL SIGTERM
# Not ready until it belongs to a cluster. It reads the same file and environment as the node, but
# not the node's flags: configure addresses by those two.
HEALTHCHECK --interval=10s --timeout=7s --start-period=30s CMD ["kvd", "--check-ready"]
ENTRYPOINT ["kvd"]
