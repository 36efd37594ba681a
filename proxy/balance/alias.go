package balance

// cell is one column of the alias method (Walker 1974; Vose, A Linear Algorithm for Generating Random Numbers with a Given
// Distribution, 1991): with probability keep/2^32 it stands for its own item, otherwise for other.
type cell struct {
	keep  uint32
	other uint32
}

// makeAlias makes the columns for drawing items by weight in constant time.
func makeAlias(items []item, total uint64) []cell {
	n := len(items)
	cells := make([]cell, n)
	scaled := make([]float64, n)
	var small, large []int
	for i, it := range items {
		scaled[i] = float64(it.weight) * float64(n) / float64(total)
		if scaled[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		cells[s] = cell{keep: uint32(scaled[s] * (1 << 32)), other: uint32(l)}
		if scaled[l] -= 1 - scaled[s]; scaled[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // what is left is 1 but for rounding
		cells[i] = cell{keep: 1<<32 - 1, other: uint32(i)}
	}
	return cells
}

// draw returns the index of an item for 64 random bits.
func (v *View) draw(r uint64) int {
	column := (r >> 32) * uint64(len(v.alias)) >> 32
	if c := &v.alias[column]; uint32(r) >= c.keep {
		return int(c.other)
	}
	return int(column)
}
