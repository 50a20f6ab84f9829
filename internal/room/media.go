package room

import (
	"parley/internal/loop"
	"parley/internal/room/sound"
)

// What a room needs of the media loop; package sound says what it promises.
type (
	Media  = sound.Media
	Mixer  = sound.Mixer
	Port   = sound.Port
	Player = sound.Player
)

// Engine gives rooms their place in a media engine.
func Engine(e *loop.Engine) Media { return sound.Engine(e) }
