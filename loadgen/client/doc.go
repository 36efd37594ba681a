// Package client sends the requests of one thread: one loop, its share of the connections, its share of the schedule.
//
// It may import internal/{loop,clock,wire,wire/h1,wire/h2,wire/tlsrec} and loadgen/{schedule,workload,recorder,secure}. What flows through: intended
// starts come from the schedule, finished bytes from the workload; requests go out through the loop, their outcome goes to
// the recorder.
//
// # The path of a request
//
//  1. turn (turn.go): a request is due. A free connection takes it: the one that has been idle longest, so that all of them are
//     used; else one that must be opened first. With none free it waits in the schedule, and its waiting counts.
//  2. conn.begin (conn.go): opens the connection if need be, then hands the rendered bytes to the loop.
//  3. conn.OnRecv → reader.feed (response.go): the response is parsed as far as its end must be known for certain.
//  4. conn.completed or conn.failed: one outcome for each request, exactly once. A request is never sent twice: a
//     reset on a reused connection is an error of this request.
//
// # TLS and HTTP/2
//
// A link of package secure stands between a connection and its socket and speaks TLS there; without TLS it is not in the way.
// session.go looks at what handshakes settle. mux.go is what a
// connection has in HTTP/2 in place of steps 2 to 4: many requests at once, each in a slot of its own, whose fate the codec tells by
// calls (stream.go). The rules are the same: one outcome for each request, never sent twice. What a turn writes goes out in
// one send for each connection. grpc.go looks at what a unary call must bring back.
//
// # Time
//
// All stamps are the loop's time: one sample per turn. A send is stamped with the sample before it, an arrival with the sample of the
// turn that saw it. Lateness is measured with a clock reading after the batch was handed over.
package client
