// guest <region>: adds numbers for a host, until it leaves.
#include "sum_generated.h"

#include <shmipc/flatbuffers.hpp>
#include <shmipc/shmipc.hpp>

#include <iostream>
#include <numeric>

namespace {

void add(const shmipc::request &request, shmipc::response &response) {
    const auto *numbers = shmipc::verified<orders::Numbers>(request.data());
    if (!numbers || !numbers->values())
        return response.fail("the request is no Numbers");
    const auto &values = *numbers->values();
    shmipc::response_builder builder(response);
    const auto sum = std::accumulate(values.begin(), values.end(), std::int64_t{0});
    builder.Finish(orders::CreateSumDirect(builder, sum, "the sum is"));
    if (!builder.respond())
        response.fail("the answer is not finished");
}

} // namespace

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    auto guest = shmipc::guest::attach(arguments[1]);
    if (!guest) {
        std::cerr << "guest: " << guest.error().what() << '\n';
        return 1;
    }
    const auto ended = guest->serve(add);
    if (ended.code() != shmipc::errc::shutdown)
        std::cerr << "guest: " << ended.what() << '\n';
    return ended.code() == shmipc::errc::shutdown ? 0 : 1;
}
