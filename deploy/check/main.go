// Reads a compose file as Docker Compose itself does and fails on whatever it would refuse.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithName("doorstep"), cli.WithInterpolation(true))
	if err == nil {
		var project interface{ ServiceNames() []string }
		project, err = options.LoadProject(context.Background())
		if err == nil {
			fmt.Println(len(project.ServiceNames()), "services")
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
