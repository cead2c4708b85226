"""Who the users are, and whether it is they who ask.

In this package:
    authenticator    judges credentials for the protocols; hashing in a thread
    throttle         makes guessing slow
    verified         remembers for a while which credentials were right
    users            the users, and what they may do
    passwd_file      a passwd-style file, watched
    entry            one line of such a file
    location         ``%u``, ``%d``, ``~`` and where the mail lies
    system           uids and gids by name
    editing          adds, changes and removes users in such a file
    passwords        password schemes: ``{ARGON2ID}`` and all the others
    crypt3           crypt(3) strings
    digests          schemes made of plain digests, PBKDF2 and SCRAM keys
"""
