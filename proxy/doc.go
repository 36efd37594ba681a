// Package proxy is the gateway, one package for each step of a request's way through it. This file draws the way; nothing else is in
// this package. docs/LIFE_OF_A_REQUEST.md walks along it with one concrete request.
//
//	  client                                                              endpoint
//	    │  ▲                                                                ▲  │
//	    ▼  │                            one worker                          │  ▼
//	┌──────────────────────────────────────────────────────────────────────────────┐
//	│ 1 listener ──▶ 2 downstream ──▶ 3 route ──▶ 4 policy ──▶ 5 balance           │
//	│   accept         client           which       may it,      which             │
//	│                  connection,      RouteID?    and how?     endpoint?         │
//	│                  h1, h2 codec                                  │             │
//	│                     ▲                                          ▼             │
//	│                     │                                      6 cluster         │
//	│                     │                                        limits, health  │
//	│                     │                                          │             │
//	│                  8 respond ◀───────────────────────────── 7 upstream         │
//	│                    response head, local replies,            pool, retry,     │
//	│                    hop-by-hop fields removed                h1, h2 codec     │
//	│                                                                              │
//	│  the two sides meet in exchange; bytes wait in flow; all count in telemetry  │
//	├──────────────────────────────────────────────────────────────────────────────┤
//	│ internal/loop: accept, recv, send, connect, close, timer, wake               │
//	└──────────────────────────────────────────────────────────────────────────────┘
//	       ▲ immutable snapshot, by one pointer swap           │ counters, log lines
//	       │                                                   ▼
//	┌──────────────────────────────────────────────────────────────────────────────┐
//	│ control plane: config ──▶ snapshot ──▶ server (workers, drain), admin        │
//	│ keeper: health, discovery ──▶ views of clusters, which workers read          │
//	└──────────────────────────────────────────────────────────────────────────────┘
//
//	1 listener    accepts; pauses when descriptors or the connection limit run out
//	              secure stands between the socket and the next step where there is TLS, and likewise before endpoints
//	2 downstream  the client's connection: bytes → heads and bodies, order or streams of requests, time limits
//	3 route       (host, path, method) → RouteID, in an immutable table
//	4 policy      what may continue, what is answered here; empty until there are policies
//	5 balance     picks an endpoint, a pure function
//	6 cluster     what holds for all endpoints of a cluster: limits, time limits, retries
//	7 upstream    per-worker pools of connections, HTTP/1.1 or streams of HTTP/2; the request's other half; repeats what may be repeated
//	8 respond     renders what the client gets, from the endpoint or from here
//
// Leaves beside the path: exchange (one request and its response, flags, failures), endpoint, flow (bytes of one connection),
// telemetry. worker puts 1…8 on one loop, on one thread, on one core; server starts and ends workers.
//
// Who may import whom is a table in internal/archtest, and a test.
package proxy
