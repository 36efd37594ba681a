// Package snapshot turns a checked configuration into the immutable thing that workers read: routes, what each
// route does, clusters, listeners. Of the gateway's packages it alone imports proxy/config; beside it, it imports those whose values it makes (route, rewrite,
// cluster, endpoint, balance, secure, and tlsconf of internal/wire), exchange, internal/wire, and the address type of internal/loop.
//
// What flows through: *config.Config → Build → *Snapshot. A reload builds a new Snapshot off the loop and publishes it with one pointer
// swap; requests in flight keep the one they started with. Explain answers, from the same tables, which route a request would take.
package snapshot
