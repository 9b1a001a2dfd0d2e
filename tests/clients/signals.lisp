;;; A thread looks up names while another one collects garbage. SBCL's collector first stops every other thread by
;;; SIGUSR2, so a collection takes as long as the slowest thread needs to handle the signal: up to two seconds if a lookup
;;; holds it back.

(require :sb-bsd-sockets)

(defun milliseconds ()
  (round (get-internal-real-time) (/ internal-time-units-per-second 1000)))

(defun look-up (name)
  (handler-case
      (progn (sb-bsd-sockets:get-host-by-name name) :found)
    (error () :missing)))

(defun longest-collection (thread)
  "Collects garbage until the thread ends. Returns the longest time that a collection took, in milliseconds, and the
number of collections."
  (loop with longest = 0
        while (sb-thread:thread-alive-p thread)
        count t into collections
        do (let ((start (milliseconds)))
             (gc :full t)
             (setf longest (max longest (- (milliseconds) start))))
           (sleep 0.02)
        finally (return (values longest collections))))

(loop for (name expected) in '(("slow300-lisp.local" :found) ("nobody-lisp.local" :missing) ("host.local" :found))
      do (let ((thread (sb-thread:make-thread #'look-up :arguments (list name))))
           (multiple-value-bind (longest collections) (longest-collection thread)
             (format t "~a: ~(~a~), ~d collections, the longest took ~d ms~%"
                     name (sb-thread:join-thread thread) collections longest)
             (unless (and (eq (sb-thread:join-thread thread) expected) (< longest 1000))
               (sb-ext:exit :code 1 :abort t)))))
