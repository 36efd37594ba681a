package wire

import "bytes"

// NormalizeOptions vary the normal form of a path.
type NormalizeOptions struct {
	// KeepSlashes leaves runs of slashes as they are; otherwise each becomes one.
	KeepSlashes bool
	// RefuseEncodedSlash refuses %2F and %5C; otherwise they stay encoded and never separate segments.
	RefuseEncodedSlash bool
}

// What a path can be refused for.
var (
	ErrPathStart = NewError(400, "bad_path",
		"the path must begin with '/'")
	ErrPathByte = NewError(400, "bad_path_byte",
		"the path holds a byte that must be percent-encoded: a space, control, non-ASCII byte, '#', '?' or backslash")
	ErrPathEscape = NewError(400, "bad_path_escape",
		"a '%' in the path must be followed by two hexadecimal digits")
	ErrPathNUL = NewError(400, "path_nul",
		"the path holds %00, which ends the string for many servers")
	ErrPathAboveRoot = NewError(400, "path_above_root",
		"the '..' segments of the path lead above the root")
	ErrPathEncodedSlash = NewError(400, "path_encoded_slash",
		"the path holds an encoded slash or backslash, which this route refuses")
	ErrPathHiddenDots = NewError(400, "path_hidden_dots",
		"the path hides a dot segment behind an encoded slash or a ';', which servers resolve differently")
)

// NormalizePath brings the path of a request into the one form that is matched, and forwarded:
//
//   - percent-encoded unreserved characters are decoded, all other escapes get upper-case digits (RFC 3986 section
//     6.2.2);
//   - runs of slashes become one (unless KeepSlashes), then dot segments are removed (RFC 3986 section 5.2.4),
//     encoded ones too;
//   - refused with 400: a path above the root, %00, a bad escape, a byte that should have been encoded (space,
//     control, non-ASCII, '#', '?', '\'), and dot segments that only some servers see ("/a%2f../b", "/..;x/b");
//   - %2F and %5C stay encoded, or are refused with RefuseEncodedSlash.
//
// A path already in this form is returned as it is (changed false, no copy); otherwise norm is built in dst[:0],
// which holds it without allocating when cap(dst) >= len(path). dst is scratch space in any case and must not overlap
// path. The path of an asterisk-form target, "*", is its own normal form.
func NormalizePath(dst, path []byte, opt NormalizeOptions) (norm []byte, changed bool, err *Error) {
	if len(path) == 0 || path[0] != '/' {
		if len(path) == 1 && path[0] == '*' {
			return path, false, nil
		}
		return nil, false, ErrPathStart
	}
	n, err := normalPrefix(path, opt)
	if err != nil {
		return nil, false, err
	}
	if n == len(path) {
		return path, false, nil
	}
	norm, err = rewritePath(dst[:0], path, opt)
	if err != nil {
		return nil, false, err
	}
	if bytes.Equal(norm, path) { // "/.well-known" and the like only looked as if
		return path, false, nil
	}
	return norm, true, nil
}

// normalPrefix returns how many bytes are certainly in normal form; less than len(path) means that the path has to be
// rewritten to know.
func normalPrefix(path []byte, opt NormalizeOptions) (int, *Error) {
	for i := 0; i < len(path); i++ {
		c := path[i]
		if Class[c]&ClassPlain != 0 {
			continue
		}
		switch c {
		case '/':
			if i+1 == len(path) {
				continue
			}
			if next := path[i+1]; next == '.' || next == '/' && !opt.KeepSlashes {
				return i, nil
			}
		case '%':
			// Any escape is left to the rewrite but this frequent case: upper case, and nothing that it would touch.
			if i+2 >= len(path) || !upperHex(path[i+1]) || !upperHex(path[i+2]) {
				return i, nil
			}
			v := HexValue(path[i+1])<<4 | HexValue(path[i+2])
			if v == 0 || v == '/' || v == '\\' || Class[v]&ClassUnreserved != 0 {
				return i, nil
			}
			i += 2
		default:
			return i, ErrPathByte
		}
	}
	return len(path), nil
}

func upperHex(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' }

// rewritePath appends the normal form of path to dst, which is empty. Each segment is appended and then looked at as
// a whole, when its escapes are decoded.
func rewritePath(dst, path []byte, opt NormalizeOptions) ([]byte, *Error) {
	const upper = "0123456789ABCDEF"
	dst = append(dst, '/')
	start := 1 // where the current segment begins in dst
	for i := 1; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '/':
			var err *Error
			if dst, err = endSegment(dst, start, false, opt); err != nil {
				return dst, err
			}
			start = len(dst)
		case c == '%':
			if i+2 >= len(path) || Class[path[i+1]]&Class[path[i+2]]&ClassHex == 0 {
				return dst, ErrPathEscape
			}
			v := HexValue(path[i+1])<<4 | HexValue(path[i+2])
			i += 2
			switch {
			case v == 0:
				return dst, ErrPathNUL
			case (v == '/' || v == '\\') && opt.RefuseEncodedSlash:
				return dst, ErrPathEncodedSlash
			case Class[v]&ClassUnreserved != 0:
				dst = append(dst, v)
			default:
				dst = append(dst, '%', upper[v>>4], upper[v&15])
			}
		case Class[c]&ClassPlain != 0:
			dst = append(dst, c)
		default:
			return dst, ErrPathByte
		}
	}
	return endSegment(dst, start, true, opt)
}

// endSegment resolves the segment dst[start:]. Unless it is the last one, the slash behind it is appended.
func endSegment(dst []byte, start int, last bool, opt NormalizeOptions) ([]byte, *Error) {
	seg := dst[start:]
	switch {
	case len(seg) == 0:
		if last || !opt.KeepSlashes {
			return dst, nil
		}
	case string(seg) == ".":
		return dst[:start], nil
	case string(seg) == "..":
		if start == 1 {
			return dst, ErrPathAboveRoot
		}
		end := start - 1 // the slash before ".."; the segment before it goes too
		for end > 0 && dst[end-1] != '/' {
			end--
		}
		return dst[:end], nil
	case hidesDots(seg):
		return dst, ErrPathHiddenDots
	}
	if !last {
		dst = append(dst, '/')
	}
	return dst, nil
}

// hidesDots tells whether a server that decodes %2F or %5C before it splits the path, or strips path parameters
// (";x") first, would see a dot segment inside seg.
func hidesDots(seg []byte) bool {
	begin, params := 0, false
	for i := 0; i < len(seg); i++ {
		switch {
		case seg[i] == ';' && !params:
			if isDots(seg[begin:i]) {
				return true
			}
			params = true
		case seg[i] == '%' && (string(seg[i+1:i+3]) == "2F" || string(seg[i+1:i+3]) == "5C"):
			if !params && isDots(seg[begin:i]) {
				return true
			}
			i += 2
			begin, params = i+1, false
		}
	}
	return !params && isDots(seg[begin:])
}

func isDots(b []byte) bool { return string(b) == "." || string(b) == ".." }
