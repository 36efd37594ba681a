package telemetry

// H2Codes counts by the error code of RFC 9113 section 7. The last one is for codes that it does not know.
type H2Codes [len(h2Codes)]uint64

var h2Codes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED", "other",
}

// Add counts one.
func (c *H2Codes) Add(code uint32) { c[min(code, uint32(len(c)-1))]++ }

// each gives the codes that occurred, and NO_ERROR always, so that the metric exists from the start.
func (c *H2Codes) each(p put) {
	for i, n := range c {
		if n > 0 || i == 0 {
			p(float64(n), h2Codes[i])
		}
	}
}
