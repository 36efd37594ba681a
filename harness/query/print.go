package query

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/blitz-gateway/blitz/harness/report"
)

// Table renders for a terminal. NULL is a dash.
func (a *Answer) Table(w io.Writer) error {
	t := report.Table{Caption: fmt.Sprintf("%d rows", len(a.Rows)), Head: a.Columns}
	for _, row := range a.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case nil:
				cells[i] = "–"
			case float64:
				cells[i] = strconv.FormatFloat(v, 'g', 6, 64)
			default:
				cells[i] = text(v)
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	_, err := io.WriteString(w, t.Text())
	return err
}

// CSV renders with a head. NULL is an empty field; figures keep all their digits.
func (a *Answer) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(a.Columns); err != nil {
		return err
	}
	for _, row := range a.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			if v != nil {
				cells[i] = text(v)
			}
		}
		if err := c.Write(cells); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// JSON renders an array of objects, keys in the order of the columns. Of columns with one name the later ones get a number.
func (a *Answer) JSON(w io.Writer) error {
	names := make([]string, len(a.Columns))
	seen := map[string]int{}
	for i, c := range a.Columns {
		if seen[c]++; seen[c] > 1 {
			c = fmt.Sprintf("%s_%d", c, seen[c])
		}
		names[i] = c
	}
	var b bytes.Buffer
	b.WriteString("[")
	for i, row := range a.Rows {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n {")
		for k, v := range row {
			if k > 0 {
				b.WriteString(", ")
			}
			key, err := json.Marshal(names[k])
			if err != nil {
				return err
			}
			value, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("%s, row %d: %w", names[k], i+1, err)
			}
			fmt.Fprintf(&b, "%s: %s", key, value)
		}
		b.WriteString("}")
	}
	b.WriteString("\n]\n")
	_, err := w.Write(b.Bytes())
	return err
}

func text(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}
