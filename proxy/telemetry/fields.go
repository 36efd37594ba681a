package telemetry

import (
	"fmt"
	"slices"
	"time"
)

// field is one value of a line that has chosen fields.
type field uint8

// fieldNames are the fields in the order of a line without a choice. They are the keys of a JSON line.
var fieldNames = []string{"time", "listener", "client", "method", "host", "path", "query", "protocol", "status", "flags", "bytes_in", "bytes_out",
	"duration_us", "upstream_us", "attempts", "route", "cluster", "endpoint", "request_id", "user_agent", "tls", "cipher", "alpn", "sni", "code", "detail"}

// LogFields lists what a line may consist of.
func LogFields() []string { return slices.Clone(fieldNames) }

// LogOptions say what is logged, and how.
type LogOptions struct {
	// Path is a file (appended to, created with mode 0640), "stdout" or "stderr"; Format is "json" or "text".
	Path, Format string
	// Fields to write, in order; empty: all, as ever.
	Fields []string
	// Sample is the share of ordinary requests that get a line, from 0 to 1; failures and requests of Slow or longer (0: none) always get one.
	Sample float64
	Slow   time.Duration
}

// OpenLog opens a log.
func OpenLog(o LogOptions) (*AccessLog, error) {
	l, err := newAccessLog(o.Path, o.Format)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Fields {
		i := slices.Index(fieldNames, name)
		if i < 0 {
			return nil, fmt.Errorf("access log: unknown field %q", name)
		}
		if slices.Contains(l.fields, field(i)) {
			return nil, fmt.Errorf("access log: field %q is given twice", name) // a line has a bound
		}
		l.fields = append(l.fields, field(i))
	}
	l.chance, l.slow = chance(o.Sample), int64(o.Slow)
	if l.file, l.out, err = open(o.Path); err != nil {
		return nil, err
	}
	go l.run()
	return l, nil
}

// chance turns a share into a bound for random numbers.
func chance(share float64) uint64 {
	if share >= 1 {
		return ^uint64(0)
	}
	return uint64(max(share, 0) * (1 << 63) * 2)
}

// Wants tells whether a request gets a line: by its status, flags and duration in ns.
func (w *Writer) Wants(status int, flags Flags, ns int64) bool {
	l := w.log
	if l.chance == ^uint64(0) || status >= 500 || status == 0 || flags != 0 || l.slow > 0 && ns >= l.slow {
		return true
	}
	// xorshift64 (Marsaglia, 2003).
	w.random ^= w.random << 13
	w.random ^= w.random >> 7
	w.random ^= w.random << 17
	return w.random < l.chance
}

// appendFields appends a line of chosen fields.
func (s *stamp) appendFields(dst []byte, e *Entry, fields []field, text bool) []byte {
	open := len(dst)
	if !text {
		dst = append(dst, '{')
	}
	for _, f := range fields {
		before := len(dst)
		switch {
		case text && len(dst) > open:
			dst = append(dst, ' ')
		case !text:
			if len(dst) > open+1 {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), fieldNames[f]...), '"', ':')
		}
		start := len(dst)
		dst = s.appendField(dst, e, f, text)
		if len(dst) > start {
			continue
		}
		if text {
			dst = append(dst, '-')
		} else {
			dst = dst[:before] // a value that is not there is left out
		}
	}
	if !text {
		dst = append(dst, '}')
	}
	return append(dst, '\n')
}

// appendField appends a value, nothing when there is none.
func (s *stamp) appendField(dst []byte, e *Entry, f field, text bool) []byte {
	switch f {
	case 0:
		if text {
			return s.append(dst, e.Time)
		}
		return append(s.append(append(dst, '"'), e.Time), '"')
	case 1:
		return appendValue(dst, e.Listener, maxShort, text)
	case 2:
		if !e.Client.IsValid() {
			return dst
		}
		if text {
			return appendClient(dst, e.Client)
		}
		return append(e.Client.AppendTo(append(dst, '"')), '"')
	case 3:
		return appendValue(dst, e.Method, maxMethod, text)
	case 4:
		return appendValue(dst, e.Host, maxShort, text)
	case 5:
		return appendValue(dst, e.Path, maxPath, text)
	case 6:
		return appendValue(dst, e.Query, maxLong, text)
	case 7:
		dst = append(append(dst, `"HTTP/`...), '0'+max(e.Major, 1), '.')
		return append(appendUint(dst, uint64(e.Minor)), '"')
	case 8:
		return appendInt(dst, int64(e.Status))
	case 9:
		if e.Flags == 0 {
			return dst
		}
		if text {
			return e.Flags.Append(dst)
		}
		return append(e.Flags.Append(append(dst, '"')), '"')
	case 10:
		return appendInt(dst, e.BytesIn)
	case 11:
		return appendInt(dst, e.BytesOut)
	case 12:
		if e.Duration < 0 {
			return dst
		}
		return appendMicros(dst, e.Duration)
	case 13:
		if e.UpstreamTime < 0 || e.Attempts == 0 {
			return dst
		}
		return appendMicros(dst, e.UpstreamTime)
	case 14:
		if e.Attempts == 0 {
			return dst
		}
		return appendInt(dst, int64(e.Attempts))
	case 15:
		return appendValue(dst, e.Route, maxShort, text)
	case 16:
		return appendValue(dst, e.Cluster, maxShort, text)
	case 17:
		return appendValue(dst, e.Endpoint, maxShort, text)
	case 18:
		return appendValue(dst, e.RequestID, maxShort, text)
	case 19:
		return appendValue(dst, e.UserAgent, maxLong, text)
	case 20:
		return appendValue(dst, e.TLSVersion, maxShort, text)
	case 21:
		return appendValue(dst, e.TLSSuite, maxShort, text)
	case 22:
		return appendValue(dst, e.ALPN, maxShort, text)
	case 23:
		return appendValue(dst, e.ServerName, maxShort, text)
	case 24:
		return appendValue(dst, e.Code, maxShort, text)
	case 25:
		return appendValue(dst, e.Detail, maxLong, text)
	}
	return dst
}

// appendValue appends a string in quotes, nothing for an empty one.
func appendValue[T ~string | ~[]byte](dst []byte, s T, limit int, text bool) []byte {
	if len(s) == 0 {
		return dst
	}
	if text {
		return appendQuoted(dst, s, limit)
	}
	return append(appendJSON(append(dst, '"'), s, limit), '"')
}
