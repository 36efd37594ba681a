// Package flow moves the bytes of one connection: the output queue, which turns 'append this' into few large sends and keeps a
// request for a retry, and the receiver, which switches between the multishot receive, a pause and receiving straight into a large
// buffer that can be handed to the other side without copying.
//
// It imports only internal/loop. Everything here belongs to one worker's thread, and holds no buffer while nothing moves.
package flow
