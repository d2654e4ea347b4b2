-- The messages that show a medium are the references to it: an index finds them by the digest, so that no count beside
-- them can be wrong. `media` begins with the digest, as the uplink writes it; a text has no quotes that are not escaped.
CREATE INDEX messages_by_medium ON messages (substr(body, strpos(body, '"media":{"digest":"') + 19, 64))
    WHERE strpos(body, '"media":{"digest":"') > 0 AND NOT recalled;
