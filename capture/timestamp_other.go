//go:build !linux

package capture

import (
	"errors"

	"github.com/gopkts/gopkts/common/link"
)

// timestampTypes has no answer where nothing can be captured.
func timestampTypes(link.Interface) ([]TimestampType, error) { return nil, errors.ErrUnsupported }
