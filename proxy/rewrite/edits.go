package rewrite

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// Edit is one change of the header fields of a head.
type Edit struct {
	Kind  exchange.EditKind
	Name  string
	Value Template

	name []byte
	id   wire.FieldID
	// text is the value when it is the same for all requests.
	text   []byte
	static bool
}

// Edits are changes in the order in which they are made.
type Edits struct {
	list []Edit
	// fixed are all of them, ready to use, when none depends on the request.
	fixed []exchange.HeadEdit
}

// NewEdits returns nil when there is nothing to change.
func NewEdits(list []Edit) *Edits {
	if len(list) == 0 {
		return nil
	}
	e := &Edits{list: list}
	all := true
	for i := range list {
		d := &list[i]
		d.name = []byte(d.Name)
		d.id = wire.LookupField(d.name)
		if text, ok := d.Value.Static(); ok {
			d.text, d.static = []byte(text), true
		}
		all = all && d.static
	}
	if all {
		for i := range list {
			e.fixed = append(e.fixed, exchange.HeadEdit{Kind: list[i].Kind, Name: list[i].name, ID: list[i].id, Value: list[i].text})
		}
	}
	return e
}

// Groups tells whether any value needs the groups of the route's regular expression.
func (e *Edits) Groups() bool {
	for i := range e.list {
		if e.list[i].Value.Groups() {
			return true
		}
	}
	return false
}

// Sets tells whether a field is set or added.
func (e *Edits) Sets(name string) bool {
	if e == nil {
		return false
	}
	for i := range e.list {
		if e.list[i].Kind != exchange.RemoveField && wire.EqualFold(e.list[i].name, []byte(name)) {
			return true
		}
	}
	return false
}

// List is what the edits are made of, for those who show them.
func (e *Edits) List() []Edit { return e.list }

// Request changes the fields of in.Request. Values that depend on the request are written to buf, which is returned; they live as
// long as it does.
func (e *Edits) Request(in *Input, buf []byte) []byte {
	r := in.Request
	for i := range e.list {
		d := &e.list[i]
		value := d.text
		if !d.static && d.Kind != exchange.RemoveField { // before the field is taken away: it may refer to it
			at := len(buf)
			buf = d.Value.Append(buf, in)
			value = buf[at:len(buf):len(buf)]
		}
		edit := exchange.HeadEdit{Kind: d.Kind, Name: d.name, ID: d.id, Value: value}
		r.Fields = edit.Apply(r.Fields)
	}
	return buf
}

// Response prepares x so that its response is changed. Values that depend on the request are kept in x.
func (e *Edits) Response(in *Input) {
	x := in.X
	if e.fixed != nil {
		x.Edits = e.fixed
		return
	}
	list, buf := x.OwnEdits()
	for i := range e.list {
		d := &e.list[i]
		value := d.text
		if !d.static && d.Kind != exchange.RemoveField {
			at := len(buf)
			buf = d.Value.Append(buf, in)
			value = buf[at:len(buf):len(buf)]
		}
		list = append(list, exchange.HeadEdit{Kind: d.Kind, Name: d.name, ID: d.id, Value: value})
	}
	x.SetEdits(list, buf)
}

// AppendFields appends what the edits prepared in x set and add, as fields with CRLF each: for a response that is made here.
func AppendFields(dst []byte, x *exchange.Exchange) []byte {
	for i := range x.Edits {
		if d := &x.Edits[i]; d.Kind != exchange.RemoveField {
			dst = append(dst, d.Name...)
			dst = append(dst, ": "...)
			dst = append(dst, d.Value...)
			dst = append(dst, "\r\n"...)
		}
	}
	return dst
}

// Texts are the changes for a request, as EditText shows them.
func (e *Edits) Texts(in *Input) (out []string) {
	for i := range e.list {
		d := &e.list[i]
		out = append(out, EditText(&exchange.HeadEdit{Kind: d.Kind, Name: d.name, Value: d.Value.Append(nil, in)}))
	}
	return out
}

// EditText shows a change as "- NAME", "= NAME: VALUE" or "+ NAME: VALUE".
func EditText(d *exchange.HeadEdit) string {
	switch d.Kind {
	case exchange.RemoveField:
		return "- " + string(d.Name)
	case exchange.SetField:
		return "= " + string(d.Name) + ": " + string(d.Value)
	}
	return "+ " + string(d.Name) + ": " + string(d.Value)
}
