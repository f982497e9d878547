// Probe answers on a port (`probe serve :8080`) or tries to reach one (`probe reach name:8080`).
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const patience = 2 * time.Second

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: probe serve|reach ADDRESS"))
	}
	switch os.Args[1] {
	case "serve":
		fail(http.ListenAndServe(os.Args[2], http.HandlerFunc(greet)))
	case "reach":
		connection, err := net.DialTimeout("tcp", os.Args[2], patience)
		fail(err)
		fmt.Println("reached", connection.RemoteAddr())
	default:
		fail(fmt.Errorf("neither serve nor reach: %s", os.Args[1]))
	}
}

func greet(answer http.ResponseWriter, _ *http.Request) {
	name, _ := os.Hostname()
	fmt.Fprintln(answer, name)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
