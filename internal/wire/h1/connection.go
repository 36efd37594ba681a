package h1

import "github.com/blitz-gateway/blitz/internal/wire"

// maxNominations bounds the work of marking nominated fields, which is the product of options and fields.
const maxNominations = 16

// connOptions are the options of all Connection fields of a head (RFC 9110 section 7.6.1).
type connOptions struct {
	close, keepAlive, upgrade bool
	nominations               int
}

// add takes in one Connection field. Empty list elements are skipped (RFC 9110 section 5.6.1.2).
func (c *connOptions) add(value []byte) *wire.Error {
	for option, rest := nextOption(value); option != nil; option, rest = nextOption(rest) {
		for _, x := range option {
			if wire.Class[x]&wire.ClassToken == 0 {
				return ErrConnection
			}
		}
		switch {
		case equalLower(option, "close"):
			c.close = true
		case equalLower(option, "keep-alive"):
			c.keepAlive = true
		case equalLower(option, "upgrade"):
			c.upgrade = true
		default:
			c.nominations++
			if c.nominations > maxNominations {
				return ErrOptionCount
			}
		}
	}
	return nil
}

// persists tells whether the connection may be used again (RFC 9112 section 9.3).
func (c *connOptions) persists(minor uint8) bool {
	return !c.close && (minor >= 1 || c.keepAlive)
}

// markNominated marks the fields that Connection options name. It is called only when there are such options.
func markNominated(fields []wire.Field) {
	for i := range fields {
		if fields[i].ID != wire.FieldConnection {
			continue
		}
		for option, rest := nextOption(fields[i].Value); option != nil; option, rest = nextOption(rest) {
			id := wire.LookupField(option)
			if !id.Nominable() {
				continue
			}
			for j := range fields {
				if fields[j].ID == id && wire.EqualFold(fields[j].Name, option) {
					fields[j].Hop = true
				}
			}
		}
	}
}

// nextOption cuts the first element that is not empty off a comma-separated list, without the white space around it.
// It returns nil at the end of the list.
func nextOption(list []byte) (option, rest []byte) {
	for i := 0; i < len(list); i++ {
		if c := list[i]; c == ',' || c == ' ' || c == '\t' {
			continue
		}
		end := i
		for end < len(list) && list[end] != ',' {
			end++
		}
		rest = list[end:]
		for list[end-1] == ' ' || list[end-1] == '\t' {
			end--
		}
		return list[i:end], rest
	}
	return nil, nil
}
