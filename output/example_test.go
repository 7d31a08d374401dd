package output_test

import (
	"fmt"
	"strings"

	"github.com/wcron/wcron/output"
)

func ExampleRecorder() {
	rec := output.New("0190f3c2-7e1c", output.Config{Limit: output.MinLimit})
	defer rec.Discard()
	rec.Begin()
	fmt.Fprint(rec, "start|", strings.Repeat("x", 10000), "|end")
	kept, err := rec.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.ReplaceAll(string(kept.Inline), "x", ""))
	fmt.Println(kept.Bytes <= output.MinLimit, kept.Cut)
	// Output:
	// start|
	// [... 5955 bytes cut ...]
	// |end
	// true 5955
}
