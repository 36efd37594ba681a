// Package origin is the cheapest honest upstream: a server of HTTP/1.1 and HTTP/2 that reads requests as strictly as the gateway does, consumes
// their bodies, and answers with bytes it has at hand. One core of it must never be the bottleneck of a measurement.
//
// HTTP/2 is spoken to clients that begin with its preface, plain or over TLS. gRPC's unary calls are answered whatever their path says.
//
// It may import internal/{loop,wire,wire/h1,wire/h2,wire/tlsrec} and loadgen/{cpuset,secure}. What flows through: requests come in from the loop; the path alone
// decides the answer.
//
//	any path      200 with the configured number of bytes, after the configured delay
//	/bytes/N      200 with N bytes
//	/delay/50ms   the default answer after that time
//	/echo         200 with the body of the request
//	/headers      200 with the head of the request as it came, as the body
//	/status/503   that status, without a body
//	/chunked/N    200 with N bytes in chunks
//	/close        the default answer, then the connection closes
//	/stall        head and half of the default body, and then nothing more
//	/never        no answer at all
//	a unary call  (content-type application/grpc) one message of the configured size, or, if its method is called Echo,
//	              the call's own, and grpc-status 0
//
// In HTTP/2, /chunked says no Content-Length, and /close ends the connection gracefully. A connection of HTTP/1.1 answers one request at a time: while an answer is delayed or on its way, pipelined requests wait in a
// bounded buffer, and then in the kernel's.
package origin
