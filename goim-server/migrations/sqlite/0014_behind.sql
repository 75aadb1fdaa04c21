-- From here on the count of a read marker is of the messages that its user has behind him: those up to it,
-- and those before he came in. So whoever was let in has a row, though he has read nothing.
INSERT INTO read_markers (user_id, conversation, seq, count)
SELECT m.user_id, m.conversation, 0, COALESCE((SELECT e.count FROM messages e
    WHERE e.conversation = m.conversation AND e.seq <= m.since ORDER BY e.seq DESC LIMIT 1), 0)
FROM (SELECT user_id, conversation, max(from_seq) AS since FROM members GROUP BY user_id, conversation) m
WHERE true
ON CONFLICT (user_id, conversation) DO UPDATE SET count = excluded.count
WHERE read_markers.count < excluded.count;
