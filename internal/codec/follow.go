package codec

// Follow makes to go on with the stream that from has encoded so far: a decoder that has followed from finds no break in what to
// encodes next. Neither forgets its settings as far as a stream has any. It reports false, and does nothing, unless both were made for
// the same format and rate; two equal encoders without memory follow each other always.
func Follow(to, from Encoder) bool {
	switch t := to.(type) {
	case *OpusEncoder:
		f, ok := from.(*OpusEncoder)
		if !ok || t.frame != f.frame {
			return false
		}
		// libopus keeps an encoder in one block without pointers, and documents that copying it is enough.
		copy(t.state, f.state)
		t.loss, t.plain = f.loss, f.plain
		return true
	case *g722Encoder:
		f, ok := from.(*g722Encoder)
		if ok {
			*t = *f
		}
		return ok
	}
	return to == from
}
