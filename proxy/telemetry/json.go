package telemetry

// appendJSONLine appends e as one JSON object and a line feed. Times are integers in microseconds, sizes in bytes.
func (s *stamp) appendJSONLine(dst []byte, e *Entry) []byte {
	dst = append(dst, `{"time":"`...)
	dst = s.append(dst, e.Time)
	dst = append(dst, '"')
	dst = jsonText(dst, `,"listener":"`, e.Listener, maxShort)
	if e.Client.IsValid() {
		dst = append(dst, `,"client":"`...)
		dst = appendClient(dst, e.Client)
		dst = append(dst, '"')
	}
	dst = jsonText(dst, `,"method":"`, e.Method, maxMethod)
	dst = jsonText(dst, `,"host":"`, e.Host, maxShort)
	dst = jsonText(dst, `,"path":"`, e.Path, maxPath)
	dst = jsonText(dst, `,"query":"`, e.Query, maxLong)
	dst = append(dst, `,"protocol":"HTTP/`...)
	dst = append(dst, '0'+max(e.Major, 1), '.')
	dst = appendUint(dst, uint64(e.Minor))
	dst = append(dst, `","status":`...)
	dst = appendInt(dst, int64(e.Status))
	if e.Flags != 0 {
		dst = append(dst, `,"flags":"`...)
		dst = e.Flags.Append(dst)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"bytes_in":`...)
	dst = appendInt(dst, e.BytesIn)
	dst = append(dst, `,"bytes_out":`...)
	dst = appendInt(dst, e.BytesOut)
	if e.Duration >= 0 {
		dst = append(dst, `,"duration_us":`...)
		dst = appendMicros(dst, e.Duration)
	}
	if e.UpstreamTime >= 0 && e.Attempts > 0 {
		dst = append(dst, `,"upstream_us":`...)
		dst = appendMicros(dst, e.UpstreamTime)
	}
	if e.Attempts > 0 {
		dst = append(dst, `,"attempts":`...)
		dst = appendInt(dst, int64(e.Attempts))
	}
	dst = jsonText(dst, `,"route":"`, e.Route, maxShort)
	dst = jsonText(dst, `,"cluster":"`, e.Cluster, maxShort)
	dst = jsonText(dst, `,"endpoint":"`, e.Endpoint, maxShort)
	dst = jsonText(dst, `,"request_id":"`, e.RequestID, maxShort)
	dst = jsonText(dst, `,"user_agent":"`, e.UserAgent, maxLong)
	dst = jsonText(dst, `,"tls":"`, e.TLSVersion, maxShort)
	dst = jsonText(dst, `,"cipher":"`, e.TLSSuite, maxShort)
	dst = jsonText(dst, `,"alpn":"`, e.ALPN, maxShort)
	dst = jsonText(dst, `,"sni":"`, e.ServerName, maxShort)
	dst = jsonText(dst, `,"code":"`, e.Code, maxShort)
	dst = jsonText(dst, `,"detail":"`, e.Detail, maxLong)
	return append(dst, '}', '\n')
}

func jsonText[T text](dst []byte, open string, s T, limit int) []byte {
	if len(s) == 0 {
		return dst
	}
	return append(appendJSON(append(dst, open...), s, limit), '"')
}
