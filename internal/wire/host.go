package wire

// SplitAuthority checks a host with an optional port (RFC 3986 section 3.2, RFC 9110 section 4.2) and returns host
// and port; an IPv6 address keeps its brackets. It is stricter than the grammar where strictness costs no honest
// client: no userinfo, no percent-encoding or sub-delims in a name (letters, digits, '-', '.', '_' and '~' remain),
// no empty label but after a final dot, no zone and no IPvFuture in brackets, and after a ':' there must be a port of
// 1 to 65535.
func SplitAuthority(a []byte) (host, port []byte, ok bool) {
	i := 0
	if len(a) > 0 && a[0] == '[' {
		for i < len(a) && a[i] != ']' {
			i++
		}
		if i == len(a) || !validIPv6(a[1:i]) {
			return nil, nil, false
		}
		i++
	} else {
		prev := byte('.')
		for ; i < len(a) && a[i] != ':'; i++ {
			c := a[i]
			if Class[c]&ClassUnreserved == 0 || c == '.' && prev == '.' {
				return nil, nil, false
			}
			prev = c
		}
		if i == 0 {
			return nil, nil, false
		}
	}
	host = a[:i]
	if i == len(a) {
		return host, nil, true
	}
	port = a[i+1:]
	if a[i] != ':' || len(port) == 0 || len(port) > 5 {
		return nil, nil, false
	}
	n := 0
	for _, c := range port {
		if c < '0' || c > '9' {
			return nil, nil, false
		}
		n = n*10 + int(c-'0')
	}
	if n == 0 || n > 65535 {
		return nil, nil, false
	}
	return host, port, true
}

// validIPv6 checks the text between the brackets: eight groups of up to four hexadecimal digits, the last two of
// which may be an IPv4 address, and at most one "::" that stands for one or more groups.
func validIPv6(s []byte) bool {
	groups, gap := 0, false
	i := 0
	if len(s) >= 2 && s[0] == ':' && s[1] == ':' {
		gap, i = true, 2
	}
	for i < len(s) {
		begin := i
		for i < len(s) && Class[s[i]]&ClassHex != 0 {
			i++
		}
		if i < len(s) && s[i] == '.' {
			if !validIPv4(s[begin:]) {
				return false
			}
			groups += 2
			break
		}
		if i == begin || i-begin > 4 {
			return false
		}
		groups++
		if i == len(s) {
			break
		}
		if s[i] != ':' {
			return false
		}
		i++
		if i < len(s) && s[i] == ':' {
			if gap {
				return false
			}
			gap = true
			i++
		} else if i == len(s) {
			return false // a single ':' at the end
		}
	}
	return groups == 8 && !gap || groups < 8 && gap
}

func validIPv4(s []byte) bool {
	parts, i := 0, 0
	for {
		begin, n := i, 0
		for i < len(s) && '0' <= s[i] && s[i] <= '9' && i-begin < 4 {
			n = n*10 + int(s[i]-'0')
			i++
		}
		if i == begin || n > 255 || i-begin > 1 && s[begin] == '0' {
			return false
		}
		parts++
		if i == len(s) {
			return parts == 4
		}
		if s[i] != '.' || parts == 4 {
			return false
		}
		i++
	}
}
