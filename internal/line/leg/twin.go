package leg

// Twin is the leg as another dialog would have it: the same session, with descriptions of its own. secure: plain RTP is refused, as it is when the leg
// itself refuses it. What it agrees on counts once the leg has Become it.
func (l *Leg) Twin(secure bool) *Leg {
	t := &Leg{Session: l.Session, codecs: l.codecs}
	t.Describe(nil, l.secure || secure)
	return t
}

// Become makes the leg what its twin has agreed on. An error leaves it as it was.
func (l *Leg) Become(t *Leg) error {
	if err := t.Apply(); err != nil {
		return err
	}
	l.sdp, l.body, l.media, l.applied, l.secure, l.state = t.sdp, t.body, t.media, t.applied, t.secure, t.state
	return nil
}
