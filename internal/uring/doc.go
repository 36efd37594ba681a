// Package uring speaks io_uring: one ring with its submission and completion queue, a ring of provided receive
// buffers, the preparation of the operations that the loop uses, the 64-bit cookie that ties a completion to its
// socket, and probes that tell in words why a machine cannot run it.
//
// It imports golang.org/x/sys and nothing of ours. SQEs flow from the loop into the kernel, CQEs flow back; the
// package knows neither sockets' owners nor protocols. Behind the ring stands a Kernel: the real one, or a test's
// fake, which works on the same queue memory (Side).
//
// A Ring belongs to one thread: the one that called Enable. Nothing here is safe for concurrent use.
//
// Sources: io_uring(7), io_uring_setup(2), io_uring_enter(2), io_uring_register(2), include/uapi/linux/io_uring.h.
package uring
