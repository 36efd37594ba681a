package route

import "bytes"

// maxHost is the longest host name that can match a rule (RFC 1035 section 2.3.4 allows 255 bytes on the wire, 253 as text).
const maxHost = 255

// normalHost appends the form of a host in which names are compared: lower case, without port, brackets and final dot. It returns nothing for a
// host that is too long for any rule.
func normalHost(dst, host []byte) []byte {
	switch {
	case len(host) > 0 && host[0] == '[':
		host = host[1:]
		if i := bytes.IndexByte(host, ']'); i >= 0 {
			host = host[:i]
		}
	default:
		// An IPv6 address without brackets has more than one colon and no port.
		if i := bytes.IndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i+1:], ':') < 0 {
			host = host[:i]
		}
	}
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	if len(host) > maxHost {
		return dst[:0]
	}
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// hostKey splits a host pattern into the key of its map and whether it is a wildcard. Any host has the empty key.
func hostKey(pattern string) (key string, wildcard bool) {
	if pattern == "" || pattern == "*" {
		return "", false
	}
	if len(pattern) > 2 && pattern[:2] == "*." {
		return "." + string(normalHost(nil, []byte(pattern[2:]))), true
	}
	return string(normalHost(nil, []byte(pattern))), false
}
