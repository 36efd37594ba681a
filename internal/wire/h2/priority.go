package h2

// Priority is what RFC 9218 says of a response: Urgency from 0, the most urgent, to 7, and whether its parts are useful
// as they come.
type Priority struct {
	Urgency     uint8
	Incremental bool
}

// DefaultPriority is that of a request that says nothing (RFC 9218 section 4).
var DefaultPriority = Priority{Urgency: 3}

const urgencies = 8

// ParsePriority reads the value of a Priority field or of PRIORITY_UPDATE: a dictionary of structured fields, of which
// u and i count. What is unknown, out of range or of another type is ignored; where the value is no dictionary, all of
// it is.
func ParsePriority(v []byte) Priority {
	p := DefaultPriority
	i := 0
	skip := func() {
		for i < len(v) && (v[i] == ' ' || v[i] == '\t') {
			i++
		}
	}
	for {
		skip()
		if i == len(v) {
			return p
		}
		begin := i
		if c := v[i]; c != '*' && (c < 'a' || c > 'z') {
			return DefaultPriority
		}
		for i < len(v) && keyByte(v[i]) {
			i++
		}
		key := v[begin:i]
		value := []byte("?1")
		if i < len(v) && v[i] == '=' {
			i++
			begin = i
			quoted := false
			for i < len(v) && (quoted || v[i] != ',' && v[i] != ';' && v[i] != ' ' && v[i] != '\t') {
				if v[i] == '"' {
					quoted = !quoted
				} else if quoted && v[i] == '\\' && i+1 < len(v) {
					i++
				}
				i++
			}
			value = v[begin:i]
		}
		for i < len(v) && v[i] != ',' { // parameters of the member mean nothing
			i++
		}
		if i < len(v) {
			i++
			if skip(); i == len(v) {
				return DefaultPriority // a comma at the end
			}
		}
		switch string(key) {
		case "u":
			if len(value) == 1 && '0' <= value[0] && value[0] < '0'+urgencies {
				p.Urgency = value[0] - '0'
			}
		case "i":
			switch string(value) {
			case "?1":
				p.Incremental = true
			case "?0":
				p.Incremental = false
			}
		}
	}
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == '*'
}

// earlyPriorities keeps PRIORITY_UPDATE frames that came before their request (RFC 9218 section 7). It holds few: a
// peer that sends more loses the oldest.
type earlyPriorities struct {
	ids  [4]uint32
	prio [4]Priority
	at   uint8
}

func (e *earlyPriorities) put(id uint32, p Priority) {
	for i := range e.ids {
		if e.ids[i] == id {
			e.prio[i] = p
			return
		}
	}
	e.ids[e.at], e.prio[e.at] = id, p
	e.at = (e.at + 1) % uint8(len(e.ids))
}

func (e *earlyPriorities) take(id uint32) (Priority, bool) {
	for i := range e.ids {
		if e.ids[i] == id {
			e.ids[i] = 0
			return e.prio[i], true
		}
	}
	return Priority{}, false
}
