package telemetry

// appendTextLine appends e as a line for people and for tools that split at spaces outside of quotes:
//
//	time client "METHOD path?query HTTP/1.x" "host" status flags bytes_in bytes_out duration_us upstream_us attempts
//	"listener" "route" "cluster" "endpoint" "request_id" "user_agent" code "detail"
func (s *stamp) appendTextLine(dst []byte, e *Entry) []byte {
	dst = s.append(dst, e.Time)
	dst = append(dst, ' ')
	if e.Client.IsValid() {
		dst = appendClient(dst, e.Client)
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, ' ', '"')
	dst = appendEscaped(dst, e.Method, maxMethod)
	dst = append(dst, ' ')
	dst = appendEscaped(dst, e.Path, maxPath)
	if len(e.Query) > 0 {
		dst = append(dst, '?')
		dst = appendEscaped(dst, e.Query, maxLong)
	}
	dst = append(dst, ` HTTP/`...)
	dst = append(dst, '0'+max(e.Major, 1), '.')
	dst = appendUint(dst, uint64(e.Minor))
	dst = append(dst, '"')
	dst = quotedOrDash(dst, e.Host, maxShort)
	dst = append(dst, ' ')
	dst = appendInt(dst, int64(e.Status))
	dst = append(dst, ' ')
	dst = e.Flags.Append(dst)
	dst = append(dst, ' ')
	dst = appendInt(dst, e.BytesIn)
	dst = append(dst, ' ')
	dst = appendInt(dst, e.BytesOut)
	dst = microsOrDash(dst, e.Duration)
	if e.Attempts > 0 {
		dst = microsOrDash(dst, e.UpstreamTime)
	} else {
		dst = append(dst, ` -`...)
	}
	dst = append(dst, ' ')
	dst = appendInt(dst, int64(e.Attempts))
	dst = quotedOrDash(dst, e.Listener, maxShort)
	dst = quotedOrDash(dst, e.Route, maxShort)
	dst = quotedOrDash(dst, e.Cluster, maxShort)
	dst = quotedOrDash(dst, e.Endpoint, maxShort)
	dst = quotedOrDash(dst, e.RequestID, maxShort)
	dst = quotedOrDash(dst, e.UserAgent, maxLong)
	dst = append(dst, ' ')
	if e.Code == "" {
		dst = append(dst, '-')
	} else {
		dst = appendEscaped(dst, e.Code, maxShort)
	}
	dst = quotedOrDash(dst, e.Detail, maxLong)
	return append(dst, '\n')
}

func quotedOrDash[T text](dst []byte, s T, limit int) []byte {
	dst = append(dst, ' ')
	if len(s) == 0 {
		return append(dst, '-')
	}
	return appendQuoted(dst, s, limit)
}

func microsOrDash(dst []byte, ns int64) []byte {
	dst = append(dst, ' ')
	if ns < 0 {
		return append(dst, '-')
	}
	return appendMicros(dst, ns)
}
