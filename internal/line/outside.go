package line

import (
	"context"

	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/line/link"
	"parley/internal/line/visit"
)

// Link implements script.Media: it links the call to a host until Unlink or its end. Without any direction it is both ways in both; with one, the other way
// is closed.
func (l *stage) Link(ctx context.Context, o *action.MediaLink) error {
	if l.x.o.Outside == nil {
		return fault.New(fault.Unavailable, "EXTERNAL_MEDIA_UNAVAILABLE", "this server sends no sound to hosts outside")
	}
	wish := link.Wish{Host: o.ExternalHost, Format: o.Format, Listen: o.DirectionListen, Speak: o.DirectionSpeak}
	k, err := link.Open(ctx, l.x.o.Outside, wish, l.x.o.Log.With("call", l.id))
	if err != nil {
		return err
	}
	asked := l.ask(ctx, func() { err = l.linkTo(k) })
	if asked != nil {
		err = asked
	}
	if err != nil {
		k.Close()
	}
	return err
}

// linkTo has a link follow the call. The line's goroutine calls it.
func (l *Line) linkTo(k *link.Link) error {
	if l.outside != nil {
		return fault.New(fault.Conflict, "EXTERNAL_MEDIA_ACTIVE", "the call is linked to a host already; end that with external_media_stop first")
	}
	v := &visit.Visitor{Tap: k.Tap, Sound: k.Sound}
	life := l.welcome(v)
	l.outside = v
	l.helpers.Go(func() { k.Run(life) })
	return nil
}

// Unlink implements script.Media. A call without a link has none to end.
func (l *stage) Unlink(ctx context.Context) error {
	return l.ask(ctx, func() {
		if l.outside != nil {
			l.visitors.Part(l.outside)
			l.outside = nil
		}
	})
}
