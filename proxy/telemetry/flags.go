package telemetry

import "github.com/blitz-gateway/blitz/proxy/exchange"

// Flags is the set of response flags, as log and metrics show it ("UF,UC"; "-" when empty).
type Flags = exchange.Flags
