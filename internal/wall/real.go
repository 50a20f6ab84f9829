//go:build !testhooks

package wall

import "time"

func offset() time.Duration { return 0 }

func watch(*time.Timer, time.Duration) {}
