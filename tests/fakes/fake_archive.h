#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/archive.h"

namespace metergate {

/// An archive whose pieces are given, one a look; the last of them is the end.
class FakeArchive : public Archive {
 public:
  Result<ReplayPiece> search(const ReplayWish& wish, const ReplayPlace& place, std::size_t max_rows,
                             std::size_t) override {
    if (error) return *error;
    wishes.push_back(wish);
    if (on_search) on_search(wish);
    const auto at = static_cast<std::size_t>(place.after);
    ReplayPiece piece = at < pieces.size() ? pieces[at] : ReplayPiece{};
    if (piece.rows.size() > max_rows) piece.rows.resize(max_rows);
    piece.next = ReplayPlace{1, place.after + 1, 1, 0};
    piece.end = at + 1 >= pieces.size();
    return piece;
  }

  /// A look that finds so many records of the epoch e0, numbered on from the last.
  void add(int count, std::vector<MissingRange> missing = {}, Lane lane = Lane::kReadings) {
    ReplayPiece piece;
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(++last_seq);
      piece.rows.push_back(Row{1000 + last_seq, lane, "e0", last_seq, R"({"id":"old-)" + number + R"("})"});
    }
    piece.missing = std::move(missing);
    pieces.push_back(std::move(piece));
  }

  std::vector<ReplayPiece> pieces;
  std::vector<ReplayWish> wishes;
  std::optional<Error> error;
  std::function<void(const ReplayWish&)> on_search;
  std::int64_t last_seq = 0;
};

}  // namespace metergate
