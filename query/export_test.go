package query

// Hold sets how many bytes an answer of r may hold.
func Hold(r *Reader, bytes int) { r.held = bytes }
