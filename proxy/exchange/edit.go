package exchange

import "github.com/blitz-gateway/blitz/internal/wire"

// EditKind is what a HeadEdit does.
type EditKind uint8

// Kinds of edits.
const (
	// RemoveField takes all fields of a name away.
	RemoveField EditKind = iota
	// SetField puts a field in place of all of that name.
	SetField
	// AddField adds a field.
	AddField
)

// HeadEdit is one change of the fields of a head.
type HeadEdit struct {
	Kind  EditKind
	Name  []byte
	ID    wire.FieldID
	Value []byte
}

// Apply makes the change. Fields that are taken away are marked as hop-by-hop, which nobody forwards.
func (d *HeadEdit) Apply(fields []wire.Field) []wire.Field {
	if d.Kind != AddField {
		for i := range fields {
			if f := &fields[i]; f.ID == d.ID && (f.ID != wire.FieldOther || wire.EqualFold(f.Name, d.Name)) {
				f.Hop = true
			}
		}
	}
	if d.Kind == RemoveField {
		return fields
	}
	return append(fields, wire.Field{Name: d.Name, Value: d.Value, ID: d.ID})
}

// EditResponse makes the changes that the route asks for. The downstream side calls it once for each final head from an endpoint, whatever its
// protocol, before it renders it.
func (x *Exchange) EditResponse(r *wire.Response) {
	for i := range x.Edits {
		r.Fields = x.Edits[i].Apply(r.Fields)
	}
}

// OwnEdits returns empty memory of x for SetEdits.
func (x *Exchange) OwnEdits() (list []HeadEdit, text []byte) { return x.editList[:0], x.editText[:0] }

// SetEdits makes Edits of memory from OwnEdits, which x keeps for the next exchange.
func (x *Exchange) SetEdits(list []HeadEdit, text []byte) {
	x.Edits, x.editList, x.editText = list, list, text
}
