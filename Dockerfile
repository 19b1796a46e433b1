# syntax=docker/dockerfile:1
# One image for each program: docker build --target poller .
ARG GO_VERSION=1.26
ARG ALPINE_VERSION=3.22

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# Static programs, the same for the same tree: no cgo, no paths, no build id.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags='-s -w -buildid=' -o /out/ ./cmd/poller ./cmd/sink ./cmd/gateway ./cmd/odastream ./cmd/odasim

# Alpine and not an empty image: its wget asks for the health, and a person who
# has to look inside finds a shell. Its certificates are for oda.ft.dk.
FROM alpine:${ALPINE_VERSION} AS base
RUN apk add --no-cache ca-certificates
USER 65532:65532
WORKDIR /

FROM base AS odasim
COPY --from=build /out/odasim /usr/local/bin/odasim
EXPOSE 8380
ENTRYPOINT ["/usr/local/bin/odasim"]
CMD ["-addr", "0.0.0.0:8380"]

FROM base AS odastream
COPY --from=build /out/odastream /usr/local/bin/odastream
ENTRYPOINT ["/usr/local/bin/odastream"]

# A container answers from outside; the programs themselves listen on loopback.
FROM base AS sink
COPY --from=build /out/sink /usr/local/bin/sink
EXPOSE 8081
ENV HTTP_ADDR=:8081
ENTRYPOINT ["/usr/local/bin/sink"]

FROM base AS gateway
COPY --from=build /out/gateway /usr/local/bin/gateway
EXPOSE 8090 8082
ENV HTTP_ADDR=:8082 GATEWAY_ADDR=:8090
ENTRYPOINT ["/usr/local/bin/gateway"]

FROM base AS poller
COPY --from=build /out/poller /usr/local/bin/poller
EXPOSE 8080
ENV HTTP_ADDR=:8080
ENTRYPOINT ["/usr/local/bin/poller"]
