// names NAME: prints the addresses of a host, one per line, and then its reply to an HTTP request.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if err := show(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func show(name string) error {
	addresses, err := net.LookupHost(name)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
	connection, err := net.Dial("tcp", net.JoinHostPort(name, "80"))
	if err != nil {
		return err
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET / HTTP/1.0\r\n\r\n")
	_, err = io.Copy(os.Stdout, connection)
	return err
}
